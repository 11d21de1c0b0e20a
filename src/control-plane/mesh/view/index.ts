/**
 * What the control plane tells of the mesh to whoever asks, `/mesh/v1/...` of the API server (protocols/mesh-view).
 *
 *   mesh-view-handler   the paths; who may ask is decided before, as for other paths that are no resources
 *   proxies-answer      which proxies there are, and what each has confirmed or refused
 *   config-answer       what one was told
 *   policies-answer     how far each policy and route has come
 *   explain-query       a call that is asked about; policy/traffic/explain answers
 *   strict-answer       who would be cut off by strict mode
 *   dry-run-answer      what a policy would change; possible-calls: what could be called, where nobody tells of calls
 */
export { createMeshViewHandler, type MeshViewOptions } from './mesh-view-handler.ts'
export { policiesAnswer, type PolicyFacts } from './policies-answer.ts'
