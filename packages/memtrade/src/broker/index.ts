/** The broker: the process that runs the market, and the client that producers and consumers talk to it with. */
export { brokerConfig, type BrokerConfig } from './config.js';
export { runBroker, type RunningBroker } from './broker.js';
export {
  BrokerClient,
  type BrokerClientOptions,
  type LeaseGrant,
  type LeaseWish,
  type Market,
} from '../protocol/broker-client.js';
