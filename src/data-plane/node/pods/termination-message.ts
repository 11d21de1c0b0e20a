import type { Container } from '../../../api/generated/types.ts'
import type { ContainerStatus, Runtime } from '../runtime.ts'

/** Source: kubernetes/pkg/kubelet/container MaxContainerTerminationMessageLogLength and ...LogLines. */
const MAX_BYTES = 2048
const MAX_LINES = 80

/** The end of the log of a container that failed, where `terminationMessagePolicy` asks for it. */
export async function terminationMessage(runtime: Runtime, spec: Container, status: ContainerStatus): Promise<string | undefined> {
  if (spec.terminationMessagePolicy !== 'FallbackToLogsOnError' || status.exitCode === 0 || status.message !== undefined) return undefined
  let tail = Buffer.alloc(0)
  for await (const chunk of runtime.logs(status.id, { tailLines: MAX_LINES }, new AbortController().signal)) {
    tail = Buffer.concat([tail, chunk]).subarray(-MAX_BYTES)
  }
  return tail.length > 0 ? tail.toString() : undefined
}
