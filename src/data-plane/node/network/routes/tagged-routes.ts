import { formatPrefix } from '../../../../base/ip.ts'
import type { Fib, FibProblem, FibRoute } from '../../../../policy/route/fib-route.ts'
import type { PodRoutes } from '../kernel-pod-network.ts'

/** All routes with the tag of this node: those to its pods, which come and go one by one, and those to other nodes, replaced as a whole. */
export class TaggedRoutes implements PodRoutes {
  readonly #fib: Fib
  readonly #pods = new Map<string, FibRoute>()
  #nodes: readonly FibRoute[] = []
  #revision = 0n
  #last: Promise<unknown> = Promise.resolve()

  constructor(fib: Fib) {
    this.#fib = fib
  }

  async add(routes: readonly FibRoute[]): Promise<void> {
    for (const route of routes) this.#pods.set(formatPrefix(route.prefix), route)
    const problems = await this.#inTurn(() => this.#fib.change({ add: routes, remove: [] }, ++this.#revision))
    const problem = problems[0]
    if (problem) throw new Error(`no route to ${problem.prefix}: ${problem.message}`)
  }

  async remove(routes: readonly FibRoute[]): Promise<void> {
    for (const route of routes) this.#pods.delete(formatPrefix(route.prefix))
    await this.#inTurn(() => this.#fib.change({ add: [], remove: routes }, ++this.#revision))
  }

  /** Makes the kernel's routes those of the pods added so far and `routes`: only once every pod of this node has been added. */
  async replaceNodeRoutes(routes: readonly FibRoute[]): Promise<readonly FibProblem[]> {
    this.#nodes = routes
    return await this.#inTurn(() => this.#fib.apply([...this.#pods.values(), ...this.#nodes], ++this.#revision))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return result
  }
}
