/** Names on which the control plane's resources and the bootstrap of the node agree. */

/** Cluster of the node agent's socket that gives out the identity and the trusted CAs: keys never pass through the control plane. */
export const LOCAL_SDS_CLUSTER = 'local_sds'
/** Cluster of the control plane. */
export const ADS_CLUSTER = 'ads'
/** Secret with the proxy's certificate and key, from the node agent. */
export const IDENTITY_SECRET = 'identity_cert'
/** Secret with the CA certificates by trust domain, from the node agent. */
export const TRUST_SECRET = 'trust_bundle'
/** Instance of gRPC's certificate providers with the identity and the trusted CAs. */
export const CERTIFICATE_PROVIDER = 'default'
/** How gRPC servers ask for their listener; `%s` is the address they listen on. */
export const GRPC_SERVER_TEMPLATE = 'grpc/server?xds.resource.listening_address=%s'
/** Name of the listener of a gRPC server at this address, such as `0.0.0.0:50051`. */
export const grpcServerName = (address: string): string => GRPC_SERVER_TEMPLATE.replace('%s', () => address)
