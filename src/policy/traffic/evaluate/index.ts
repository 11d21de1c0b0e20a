/**
 * What traffic policy means for one request or connection: pure functions over the model, used by the proxy to act and by explanations to say why.
 * Everything is compiled once and asked often; regular expressions are RE2, so that no request can make one slow.
 *
 *   request-view  what rules see of a request
 *   string-match  texts, paths, headers, query parameters
 *   normal-path   paths as rules of authorization read them
 *   routes        virtual host, then the first route that matches
 *   rbac          who may do what
 *   rewrite       paths, redirects, headers
 *   choice        by weight
 *   hash          what ring hash and Maglev hash
 */
export * from './choice.ts'
export * from './hash.ts'
export * from './normal-path.ts'
export * from './rbac.ts'
export * from './request-view.ts'
export * from './rewrite.ts'
export * from './routes.ts'
export * from './string-match.ts'
