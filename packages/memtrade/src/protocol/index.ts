/** The parts that broker, producers and consumers share: the broker's client, the lease ticket, and limits. */
export {
  BrokerClient,
  type BrokerClientOptions,
  type LeaseGrant,
  type LeaseWish,
  type Market,
} from './broker-client.js';
export { slabMibDefault } from './common-settings.js';
export { requestedSlabsMax, slabMibMax } from './limits.js';
export { openTicket, signTicket, ticketBytes, ticketSerial, type Ticket } from './ticket.js';
