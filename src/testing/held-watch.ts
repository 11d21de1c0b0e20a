import type { Client, ResourceClient } from '../client/client.ts'

/** Open until closed. */
export class Gate {
  #opened: Promise<void> = Promise.resolve()
  #open: () => void = () => {}

  get opened(): Promise<void> {
    return this.#opened
  }

  close(): void {
    this.#opened = new Promise((resolve) => (this.#open = resolve))
  }

  open(): void {
    this.#open()
  }
}

/** A client whose watches of one kind tell nothing while the gate is closed: informers on it lag behind. */
export function heldWatch(client: Client, plural: string, gate: Gate): Client {
  return {
    ...client,
    of(kind) {
      const api = client.of(kind)
      if (kind.plural !== plural) return api
      const watch: ResourceClient<never>['watch'] = async function* (options) {
        for await (const event of api.watch(options)) {
          await gate.opened
          yield event as never
        }
      }
      return new Proxy(api, {
        get: (target, name) => {
          if (name === 'watch') return watch
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}
