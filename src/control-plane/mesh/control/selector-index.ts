import type { Pod, Service } from '../../../api/generated/types.ts'

/** Finds the services that may select a pod, without looking at all of its namespace. */
export class SelectorIndex {
  readonly #byLabel = new Map<string, Map<string, Service>>()
  readonly #labelOf = new Map<string, string>()

  /** @param service undefined: there is no such service any more */
  set(key: string, service: Service | undefined): void {
    const before = this.#labelOf.get(key)
    if (before !== undefined) {
      const services = this.#byLabel.get(before)
      services?.delete(key)
      if (services?.size === 0) this.#byLabel.delete(before)
      this.#labelOf.delete(key)
    }
    const [label] = Object.entries(service?.spec?.selector ?? {})
    if (!service || !label) return
    const at = placeOf(service.metadata.namespace, label)
    this.#labelOf.set(key, at)
    const services = this.#byLabel.get(at)
    if (services) services.set(key, service)
    else this.#byLabel.set(at, new Map([[key, service]]))
  }

  /** Services of its namespace with a label of its in their selector; not all need match. */
  candidates({ metadata }: Pod): readonly Service[] {
    return Object.entries(metadata.labels ?? {}).flatMap((label) => [
      ...(this.#byLabel.get(placeOf(metadata.namespace, label))?.values() ?? []),
    ])
  }
}

const placeOf = (namespace: string | undefined, [label, value]: readonly [string, string]): string =>
  `${namespace ?? ''}\0${label}\0${value}`
