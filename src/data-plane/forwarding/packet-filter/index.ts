/**
 * The packet filter: packet policies in the kernel.
 */
export { FilterRenderer } from './filter-renderer.ts'
export type { RenderOptions } from './filter-draft.ts'
export type { FilterModel, RuleLabel } from './filter-model.ts'
export { planFilterChange, replaceFilter, type FilterChange } from './plan-filter-change.ts'
