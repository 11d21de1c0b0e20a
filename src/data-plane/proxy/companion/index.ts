/**
 * What stands beside a data plane that is not ours, in the same pod: everything that only biplane knows.
 *
 *   settings-follower   identity and settings, as our own proxy has them
 *   socket-server       HTTP/2 on a unix socket, which the next two have
 *   relay               streams of xDS to the node agent, with the token that says whose they are
 *   secret-server       identity and trust over SDS, for Envoy
 *   envoy-process       Envoy itself: found, started, asked, drained, ended
 *   grpc-files          identity and bootstrap as files, for gRPC inside of an application
 */
export { ENVOY_VARIABLE, EnvoyProcess, findEnvoy, type EnvoyProcessOptions } from './envoy-process.ts'
export { GRPC_FILES, removeGrpcIdentity, writeGrpcBootstrap, writeGrpcIdentity, type GrpcIdentity } from './grpc-files.ts'
export { openRelay, type Relay, type RelayOptions } from './relay.ts'
export { openSecretServer, type SecretServer, type SecretServerOptions, type Secrets } from './secret-server.ts'
export { bearer, SettingsFollower, type SettingsFollowerOptions } from './settings-follower.ts'
