/** What all parties of the market share: the broker's client, and the lease ticket. */
export {
  BrokerClient,
  type BrokerClientOptions,
  type LeaseGrant,
  type LeaseWish,
  type Market,
} from './broker-client.js';
export { openTicket, signTicket, ticketBytes, ticketSerial, type Ticket } from './ticket.js';
