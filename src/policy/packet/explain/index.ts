/**
 * What a node does with a packet, and why, in one answer: explainVerdict runs the compiled services, then for each endpoint the compiled policies.
 * It only joins the evaluators of services/ and policies/; what each says is theirs.
 */
export { BadAddressError, explainVerdict, type CountedRefusal, type CountedRule, type NodeArtefacts } from './explain-verdict.ts'
