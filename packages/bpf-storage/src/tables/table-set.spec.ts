import type { EngineSupport, TableEngine } from '@exopool/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { inFolder } from '../testing/folder.js';
import { memtableOf } from '../testing/table.js';
import { recheckMs, TableSet } from './table-set.js';

const support: EngineSupport[] = (['pread', 'io-uring', 'page-cache-bpf'] as const).map((engine) => ({
  engine,
  available: true,
}));

describe('TableSet', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('tells the index by which engines to read when they change, and only then', async () => {
    await inFolder(async (folder) => {
      const tables = new TableSet({ folder, direct: false, support }, 0, 'auto');
      const told: (readonly TableEngine[])[] = [];
      vi.spyOn(tables.index, 'setEngines').mockImplementation((engines) => void told.push(engines));
      tables.setEngine('auto');
      const added = await tables.make(
        { memtables: [memtableOf([[Buffer.from('a'), Buffer.from('1')]])] },
        {},
      );
      const share = vi.spyOn(added!.file, 'residentShare').mockReturnValue(1);
      await tables.change({ added });
      expect(told).toEqual([['page-cache-bpf']]);

      share.mockReturnValue(0);
      vi.advanceTimersByTime(recheckMs);
      expect(share, 'measured while nothing was read').toHaveBeenCalledTimes(1);
      await tables.index.lookUpMany(['a']);
      vi.advanceTimersByTime(recheckMs);
      expect(told).toEqual([['page-cache-bpf'], ['io-uring']]);

      tables.setEngine('pread');
      await tables.index.lookUpMany(['a']);
      vi.advanceTimersByTime(10 * recheckMs);
      expect(told.slice(2)).toEqual([['pread']]);
      expect([tables.engines, vi.getTimerCount()]).toEqual([['pread'], 0]);
      tables.close();
    });
  });
});
