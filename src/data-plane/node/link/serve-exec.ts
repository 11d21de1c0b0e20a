import type { ServerHttp2Stream } from 'node:http2'
import type { Pod } from '../../../api/generated/types.ts'
import { messageOf } from '../../../base/errors.ts'
import {
  EXEC_CHANNELS,
  EXEC_LIMIT_MS,
  encodeRecords,
  exitStatus,
  failedStatus,
  type ContainerExec,
  type ExecStatus,
} from '../../../protocols/exec-link.ts'
import type { Runtime } from '../runtime.ts'
import { idOf } from './find-log.ts'

/** A runtime passes on no more of either output than this; what it says then may be cut. */
const FULL_OUTPUT_BYTES = 65_536

/** The id of a running container, or why none can be asked. */
export function findRunning(pod: Pod, container: string): { readonly id: string } | { readonly problem: string } {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const status = statuses.find(({ name }) => name === container)
  if (!status) return { problem: `container not found (${JSON.stringify(container)})` }
  if (!status.state?.running || !status.containerID) return { problem: `container ${container} is not running` }
  return { id: idOf(status.containerID) }
}

/** Runs a command beside a container and sends what it said. See src/protocols/exec-link.ts. */
export async function serveExec(
  stream: ServerHttp2Stream,
  { id, command, runtime }: { readonly id: string; readonly command: ContainerExec['command']; readonly runtime: Runtime },
): Promise<void> {
  stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' })
  const status = await run()
  if (!stream.destroyed) stream.end(encodeRecords(EXEC_CHANNELS.error, Buffer.from(JSON.stringify(status))))

  async function run(): Promise<ExecStatus> {
    try {
      const { exitCode, stdout, stderr } = await runtime.execSync(id, command, EXEC_LIMIT_MS)
      if (stream.destroyed) return exitStatus(exitCode)
      stream.write(Buffer.concat([encodeRecords(EXEC_CHANNELS.stdout, stdout), encodeRecords(EXEC_CHANNELS.stderr, stderr)]))
      const cut = stdout.length >= FULL_OUTPUT_BYTES || stderr.length >= FULL_OUTPUT_BYTES
      return cut ? failedStatus(`the output may be cut: exec passes on at most ${FULL_OUTPUT_BYTES} bytes of each`) : exitStatus(exitCode)
    } catch (error) {
      return failedStatus(messageOf(error))
    }
  }
}
