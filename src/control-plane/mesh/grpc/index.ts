/**
 * Configuration of proxyless gRPC from the intermediate form: pure, in the JSON form of protocols/xds. Clients and servers subscribe by name, state of the world.
 *
 *   generate   all resources of a client or server; names that clients dial; endpoints with the weights that localities must have
 *   listener   `xds:///host:port` of clients, `grpc/server?...` of servers, and the filters that gRPC has
 *   route      routes, splits, retries by gRPC's codes
 *   cluster    discovery, balancing, outliers; tls: certificates from files that the bootstrap names
 *
 * One form for all libraries. Known differences: Node refuses LEAST_REQUEST and needs GRPC_XDS_EXPERIMENTAL_RBAC=true for RBAC; C-core and Go have no
 * listener filters either; localities without weight are ignored by all.
 */
export { grpcGenerator, type GrpcGeneratorOptions } from './generator.ts'
export { dialNames, generateGrpc, type GrpcInput, type GrpcOutput } from './generate.ts'
