import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LineClient } from './line-client.js';

let client: LineClient;
let questions = 0;
let onQuestion: (socket: Socket) => void;
const server = createServer((socket) => {
  socket
    .on('error', () => undefined)
    .on('data', () => {
      questions += 1;
      onQuestion(socket);
    });
});

beforeEach(async () => {
  questions = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new LineClient({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
});
afterEach(() => {
  client.close();
  server.close();
});

/** Asks until the connection is there and the question has arrived. */
async function ask(): Promise<string[] | undefined> {
  let answer: Promise<string[] | undefined> | undefined;
  await expect
    .poll(async () => {
      answer = client.ask('stats', /^END$/);
      await setImmediate();
      return questions;
    })
    .toBeGreaterThan(0);
  return answer;
}

it('reads an answer in whatever pieces', async () => {
  onQuestion = (socket) => {
    socket.write('STAT a ');
    void setImmediate().then(() => socket.write('1\r\nEND\r\n'));
  };
  expect(await ask()).toEqual(['STAT a 1', 'END']);
});

it('leaves a server whose answer does not end', async () => {
  const lines = Buffer.from('STAT a 1\r\n'.repeat(10_000));
  onQuestion = (socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(lines));
    };
    socket.on('drain', more);
    more();
  };
  expect(await ask()).toBeUndefined();
});
