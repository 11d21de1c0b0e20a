/**
 * What others ask a proxy about itself.
 *
 *   health-server   readiness, probes of the application beside it, metrics: over HTTP, for kubelet and Prometheus
 */
export { openHealthServer, type HealthServer, type HealthServerOptions } from './health-server.ts'
