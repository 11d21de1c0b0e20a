import type { Pod } from '../../../api/generated/types.ts'
import type { ChangingList } from '../../service-proxy/index.ts'

/** Whose an address is, for people. Built when asked for the first time after a change. */
export class PodAddresses {
  readonly #pods: ChangingList<Pod>
  #list: readonly Pod[] | undefined
  #byAddress: ReadonlyMap<string, string> = new Map()

  constructor(pods: ChangingList<Pod>) {
    this.#pods = pods
    pods.onChange(() => (this.#list = undefined))
  }

  /** `namespace/name`, or undefined when no pod has it. */
  podAt(address: string): string | undefined {
    if (!this.#list) {
      this.#list = this.#pods.list()
      this.#byAddress = new Map(
        this.#list
          .filter(({ spec }) => spec?.hostNetwork !== true)
          .flatMap(({ metadata, status }) =>
            (status?.podIPs ?? []).map(({ ip }) => [ip, `${metadata.namespace}/${metadata.name}`] as const),
          ),
      )
    }
    return this.#byAddress.get(address)
  }
}
