import { messageOf } from '../../base/errors.ts'
import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { EXIT } from '../errors/cli-error.ts'
import { printJson } from '../print/print-objects.ts'
import { PROGRAM_VERSION } from '../program-version.ts'
import type { ConnectOptions } from '../program/options.ts'

interface VersionOptions extends ConnectOptions {
  readonly client?: boolean
  readonly output?: 'text' | 'json'
}

/** `biplane version`. Without a server the client's version is printed all the same, with exit code 1 as kubectl has it. */
export async function runVersion(context: CliContext, options: VersionOptions): Promise<number> {
  const client = { version: PROGRAM_VERSION, node: process.version, platform: `${process.platform}/${process.arch}` }
  const server = options.client ? undefined : await serverVersion(context, options)
  const failed = server !== undefined && 'error' in server
  if (options.output === 'json') {
    context.out.write(printJson({ clientVersion: client, ...(server && !failed ? { serverVersion: server } : {}) }))
  } else {
    context.out.write(`Client: biplane ${client.version} (Node ${client.node}, ${client.platform})\n`)
    if (server && !failed) context.out.write(`Server: ${String(server['gitVersion'])}\n`)
  }
  if (failed) context.err.write(`Server: not reached: ${String(server['error'])}\n`)
  return failed ? EXIT.failure : EXIT.ok
}

async function serverVersion(context: CliContext, options: ConnectOptions): Promise<Record<string, unknown>> {
  try {
    await using session = connect(context, options)
    const response = await session.client.transport.send({ method: 'GET', path: '/version' })
    return (await response.object()) as Record<string, unknown>
  } catch (error) {
    return { error: messageOf(error) }
  }
}
