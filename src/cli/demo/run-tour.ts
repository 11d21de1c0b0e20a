import type { CliContext } from '../context.ts'
export async function runTour(_context: CliContext, _options: { readonly filename?: string }): Promise<number> { return 0 }
