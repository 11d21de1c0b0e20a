/**
 * Why a call is let through or not: the resources that proxies are told, judged by the functions that proxies judge with. Pure.
 *
 *   explain-call    explainCall: from one pod to one port of a service, step by step
 *     caller-side   the listener, route, cluster and endpoint that a caller's proxy takes
 *     server-side   the chain that takes the connection, and whom it lets in
 *     steps         the parts of an answer
 *   strict-report   strictReport: who still calls in plain text, and so would be cut off by strict mode
 */
export { explainCall, type ExplainedCall, type PlainCaller } from './explain-call.ts'
export type { ExplainedRequest } from './caller-side.ts'
export { strictReport, type PlaintextCaller } from './strict-report.ts'
