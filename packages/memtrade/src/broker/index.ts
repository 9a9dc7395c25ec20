/** The broker: the process that runs the market. */
export { brokerConfig, type BrokerConfig, type BrokerSettings } from './config.js';
export { Predictor, type PredictorTarget } from './market/predictor.js';
export { runBroker, type RunningBroker } from './broker.js';
