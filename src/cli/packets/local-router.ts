import { defaultNodeName } from '../compose/machine.ts'
import { routerSocketPath } from '../compose/router-socket.ts'
import type { CliContext } from '../context.ts'
import { dataDirOf } from '../data-dir.ts'
import { CliError } from '../errors/cli-error.ts'
import { askSocket, SocketError } from './ask-socket.ts'

export interface LocalOptions {
  readonly dataDir?: string
  readonly name?: string
}

/** Asks the router of this machine without the API. @throws CliError when there is none */
export async function askLocalRouter(
  context: CliContext,
  options: LocalOptions,
  target: string,
): Promise<{ readonly node: string; readonly answer: object }> {
  const node = options.name ?? defaultNodeName()
  const path = routerSocketPath(dataDirOf(context, options.dataDir), node)
  try {
    return { node, answer: (await askSocket(path, target)) as object }
  } catch (error) {
    if (!(error instanceof SocketError)) throw error
    const fix =
      error.code === 'SocketUnreachable'
        ? 'is "biplane router" running here, with this --data-dir and --name? Are you its user?'
        : undefined
    throw new CliError('the router of this machine does not answer', { where: path, why: error.message, fix, cause: error })
  }
}
