import type { PodFacts } from './pod-facts.ts'
import type { NamedPort } from './packet-policy.ts'

/** Which pods call which of their ports what. Only names in use are shown. */
export class NamedPortIndex {
  readonly #pods = new Map<string, Map<string, { readonly port: number; readonly ips: readonly string[] }>>()
  readonly #uses = new Map<string, number>()
  readonly #shown = new Map<string, NamedPort>()

  setPod(key: string, before: PodFacts | undefined, facts: PodFacts | undefined): void {
    for (const [name] of before?.namedPorts ?? []) {
      this.#pods.get(name)?.delete(key)
      this.#shown.delete(name)
    }
    for (const [name, port] of facts?.namedPorts ?? []) {
      let pods = this.#pods.get(name)
      if (!pods) this.#pods.set(name, (pods = new Map()))
      pods.set(key, { port, ips: facts?.ips ?? [] })
      this.#shown.delete(name)
    }
  }

  acquire(name: string): void {
    this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1)
  }

  release(name: string): void {
    const uses = (this.#uses.get(name) ?? 0) - 1
    if (uses > 0) this.#uses.set(name, uses)
    else this.#uses.delete(name)
  }

  /** All names in use; of one name the same object until its pods change. */
  show(): ReadonlyMap<string, NamedPort> {
    return new Map([...this.#uses.keys()].map((name) => [name, this.#show(name)]))
  }

  #show(name: string): NamedPort {
    const known = this.#shown.get(name)
    if (known) return known
    const byPort = new Map<number, Set<string>>()
    for (const { port, ips } of this.#pods.get(name)?.values() ?? []) {
      let addresses = byPort.get(port)
      if (!addresses) byPort.set(port, (addresses = new Set()))
      for (const ip of ips) addresses.add(ip)
    }
    this.#shown.set(name, byPort)
    return byPort
  }
}
