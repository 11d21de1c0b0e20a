import { messageOf } from '../../../base/errors.ts'
import type { LogFields, Logger, LogLevel } from '../../../base/log.ts'
import { BfdManager, type BfdDependencies } from './bfd-manager.ts'
import type { BfdReport, BfdRequest } from './bfd-messages.ts'
import type { BfdWatch } from './bfd-paths.ts'

/** The thread's end of the line to the one that wants paths watched. */
export interface BfdPort {
  postMessage(report: BfdReport): void
  on(event: 'message', listener: (request: BfdRequest) => void): unknown
}

/** Runs sessions as the other end of `port` asks for them (see ThreadedBfd). */
export function serveBfd(port: BfdPort, dependencies: Omit<BfdDependencies, 'log'>): void {
  const say = (report: BfdReport): void => port.postMessage(report)
  const manager = new BfdManager({ ...dependencies, log: reportingLogger(say) })
  const watches = new Map<number, BfdWatch>()
  const watch = ({ id, address, device, config }: BfdRequest & { readonly kind: 'watch' }): void => {
    try {
      const opened = manager.watch({ address, ...(device === undefined ? {} : { device }) }, config, {
        down: (reason, graceful) => say({ kind: 'down', id, reason, graceful }),
        changed: (state) => say({ kind: 'changed', id, state }),
      })
      watches.set(id, opened)
    } catch (error) {
      say({ kind: 'failed', id, error: messageOf(error) })
    }
  }
  port.on('message', (request) => {
    switch (request.kind) {
      case 'watch':
        return watch(request)
      case 'unwatch':
        watches.get(request.id)?.close()
        watches.delete(request.id)
        return
      case 'close':
        watches.clear()
        void manager.close().then(() => say({ kind: 'closed' }))
    }
  })
}

function reportingLogger(say: (report: BfdReport) => void, base: LogFields = {}): Logger {
  const log =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void =>
      say({ kind: 'log', level, message, fields: { ...base, ...fields } })
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => reportingLogger(say, { ...base, ...fields }),
  }
}
