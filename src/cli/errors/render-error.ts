import { StatusError, messageOf } from '../../base/errors.ts'
import { YamlError } from '../../api/yaml.ts'
import { KubeconfigError } from '../../client/kubeconfig.ts'
import { TransportError } from '../../client/transport-error.ts'
import { CliError, EXIT } from './cli-error.ts'

/** Anything thrown, in words of what, where, why and how to fix. */
export function explainError(error: unknown): CliError {
  if (error instanceof CliError) return error
  if (error instanceof StatusError) return explainStatus(error)
  if (error instanceof YamlError) {
    const where = `${error.fileName ?? 'yaml'}:${error.line}:${error.column}`
    return new CliError('the manifest cannot be read', { where, why: error.why, cause: error })
  }
  if (error instanceof KubeconfigError) {
    const fix = error.code === 'NotFound' ? 'start a cluster with "biplane up", or name a kubeconfig with --kubeconfig' : undefined
    return new CliError(error.message, { fix, cause: error })
  }
  if (error instanceof TransportError) return explainTransport(error)
  return explainSystem(error)
}

/** The lines a user reads; the stack of the cause only with `debug`. */
export function renderError(error: CliError, options: { readonly debug: boolean }): string {
  const lines = [`error: ${error.message}`]
  if (error.where) lines.push(`  at:  ${error.where}`)
  if (error.why) lines.push(`  why: ${indent(error.why)}`)
  if (error.fix) lines.push(`  fix: ${indent(error.fix)}`)
  if (options.debug) lines.push(stackOf(error))
  return `${lines.join('\n')}\n`
}

function explainStatus(error: StatusError): CliError {
  const causes = error.details?.causes ?? []
  const why = causes.length > 1 ? causes.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('\n') : undefined
  return new CliError(error.message, { why, fix: STATUS_FIXES[error.reason], cause: error })
}

const STATUS_FIXES: Readonly<Record<string, string>> = {
  Unauthorized:
    'the credentials are not (or no longer) valid here: start the cluster again with "biplane up", or name another --kubeconfig',
  Conflict: 'somebody changed it meanwhile: read it again and repeat',
  ServiceUnavailable: 'the server is starting or ending: try again',
}

function explainTransport(error: TransportError): CliError {
  const cause = error.cause instanceof Error ? error.cause.message : undefined
  const why = cause !== undefined && !error.message.includes(cause) ? cause : undefined
  const fix =
    error.code === 'Unreachable' ? 'start a cluster with "biplane up", or choose another with --kubeconfig or --context' : undefined
  return new CliError(error.message, { why, fix, cause: error })
}

const SYSTEM: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOSPC: 'no space left on the disk',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  EADDRINUSE: 'somebody listens there already',
  EADDRNOTAVAIL: 'this machine has no such address',
}

function explainSystem(error: unknown): CliError {
  const { code, path, syscall, address, port } = (error ?? {}) as NodeJS.ErrnoException & { address?: string; port?: number }
  const why = code === undefined ? undefined : SYSTEM[code]
  if (why === undefined) return new CliError(messageOf(error), { cause: error })
  const place = path ?? (address === undefined ? undefined : `${address}:${port}`)
  return new CliError(`cannot ${syscall ?? 'use'} ${place ?? 'a file'}`, { why, cause: error, exitCode: EXIT.failure })
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n       ')
}

function stackOf(error: CliError): string {
  const { cause } = error
  const own = error.stack ?? ''
  return cause instanceof Error ? `${own}\ncaused by: ${cause.stack ?? cause.message}` : own
}
