import { Compiler, type CompiledProxy } from '../../../policy/traffic/compile/index.ts'
import type { Finding, MeshWorld, ProxyView } from '../../../policy/traffic/input/index.ts'
import { POLICY_PLUGINS } from '../../../policy/traffic/policies/index.ts'
import type { Quarantine } from './quarantine.ts'

type DataPlane = ProxyView['dataPlane']

/** One compiler for all kinds of clients, and others for those whose clients have refused something: for these it is left out. */
export class Compilers {
  readonly #all: Compiler
  readonly #others: ReadonlyMap<DataPlane, Compiler>

  /** @param previous of the world before: what has not changed since is taken over */
  constructor(world: MeshWorld, quarantine: Pick<Quarantine, 'namesFor'>, previous?: Compilers) {
    this.#all = new Compiler(world, POLICY_PLUGINS, previous && previous.#all)
    this.#others = new Map(
      DATA_PLANES.flatMap((kind) => {
        const quarantined = quarantine.namesFor(kind)
        if (quarantined.size === 0) return []
        return [[kind, new Compiler(world, POLICY_PLUGINS, previous && previous.#others.get(kind), { quarantined })] as const]
      }),
    )
  }

  compile(proxy: ProxyView): CompiledProxy {
    return (this.#others.get(proxy.dataPlane) ?? this.#all).compile(proxy)
  }

  /** Of all of them: those that differ only in whom they are for come several times. */
  get findings(): readonly (readonly Finding[])[] {
    return [this.#all.findings, ...[...this.#others.values()].map(({ findings }) => findings)]
  }
}

const DATA_PLANES: readonly DataPlane[] = ['biplane', 'envoy', 'grpc']
