import type { CliContext } from '../context.ts'

/** `biplane demo`. */
export async function runDemo(context: CliContext, options: { readonly filename?: string }): Promise<number> {
  const { runTour } = await import('../demo/run-tour.ts')
  return runTour(context, options)
}
