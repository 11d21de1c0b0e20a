/**
 * Gateway API and Ingress as what the compiler works on: pure functions from objects to routes, listeners, secrets and findings, and to the judgements that
 * statuses are written from, so that a status never says anything but what was done.
 *
 *   translate-gateway-api   the whole of it
 *   judge-listeners         protocols, certificates, kinds and conflicts of listeners; judge-frontend: authorities of clients
 *   judge-attachment        which listeners or service ports a route is taken at, and why not
 *   judge-backend-tls       BackendTLSPolicy, conflicts included
 *   translate-*             rules, filters and backends by kind of route; Ingress
 *   merge-routes            the order of rules of several routes for one parent, for the compiler
 *   bind-port               where the pod of a gateway listens
 *   hostnames               what hosts of listeners and routes have in common
 *   object-index            objects by name, and who may refer to what (ReferenceGrant)
 */
export * from './bind-port.ts'
export * from './gateway-objects.ts'
export * from './hostnames.ts'
export * from './judge-attachment.ts'
export * from './judge-backend-tls.ts'
export * from './judge-frontend.ts'
export * from './judge-listeners.ts'
export * from './merge-routes.ts'
export * from './object-index.ts'
export * from './pem-secrets.ts'
export * from './translate-gateway-api.ts'
export * from './translate-ingress.ts'
