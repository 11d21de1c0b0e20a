import type { Pod, PriorityClass } from '../../../api/generated/types.ts'
import { priorityClasses } from '../../../api/scheduling/v1/priority-class.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { Store } from '../../store/contract.ts'
import { forbidden, type AdmissionPlugin } from '../registry/index.ts'

const PREFIX = `/registry/${priorityClasses.group}/${priorityClasses.plural}/`
/** Classes every cluster has. Source: kubernetes/pkg/apis/scheduling/helpers.go. */
const SYSTEM: Readonly<Record<string, number>> = { 'system-node-critical': 2_000_001_000, 'system-cluster-critical': 2_000_000_000 }

/** Turns a pod's priorityClassName, or the default class, into `spec.priority` and `preemptionPolicy`. */
export function createPriorityPlugin(store: Store): AdmissionPlugin {
  const read = async (name: string): Promise<PriorityClass | undefined> => {
    const found = await store.get(PREFIX + name)
    return found && (JSON.parse(Buffer.from(found.value).toString()) as PriorityClass)
  }
  const defaultClass = async (): Promise<PriorityClass | undefined> => {
    const { items } = await store.list(PREFIX)
    const classes = items.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as PriorityClass).filter((one) => one.globalDefault)
    return classes.sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0]
  }
  return {
    name: 'Priority',
    resources: ['pods'],
    operations: ['CREATE'],
    async admit({ object }) {
      const pod = object as Pod
      if (!pod.spec) return
      const name = pod.spec.priorityClassName
      const system = name === undefined ? undefined : SYSTEM[name]
      const chosen = system !== undefined ? undefined : name ? await read(name) : await defaultClass()
      if (name && system === undefined && !chosen) throw forbidden(pods, pod.metadata.name, `no PriorityClass with name ${name} was found`)
      const value = system ?? chosen?.value ?? 0
      // 0 without a class is what the pod's own defaults put there before the default class was looked up
      const given = !name && pod.spec.priority === 0 ? undefined : pod.spec.priority
      if (given !== undefined && given !== value) {
        throw forbidden(
          pods,
          pod.metadata.name,
          `the integer value of priority (${pod.spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        )
      }
      pod.spec.priority = value
      if (!name && chosen) pod.spec.priorityClassName = chosen.metadata.name
      pod.spec.preemptionPolicy ??= chosen?.preemptionPolicy ?? 'PreemptLowerPriority'
    },
  }
}
