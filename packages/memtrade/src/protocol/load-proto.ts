/** The gRPC service of `proto/broker.proto`, read at run time; its types are generated from the same file. */
import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ProtoGrpcType } from './generated/broker.js';

/** The .proto file lies in a sibling of `src` and `dist`, so the path is the same from both. */
const protoFile = fileURLToPath(new URL('../../proto/broker.proto', import.meta.url));

/** Missing fields read as their defaults, 64-bit integers as numbers. The types are generated with the same options. */
const options = { longs: Number, defaults: true, arrays: true };

// The library logs errors that it also returns. This package reports each of them itself, once.
setLogVerbosity(logVerbosity.NONE);

/** The service's client constructor; its `service` is the definition that a server implements. */
export const BrokerService = (loadPackageDefinition(loadSync(protoFile, options)) as unknown as ProtoGrpcType)
  .exopool.broker.v1.Broker;
