import type { Clock } from '../../../base/clock.ts'
import type { AccessLog } from '../../../policy/traffic/model/index.ts'
import { AccessLogger, compileLogFormat, LogWriter, openFdSink, openFileSink, openTcpSink } from '../telemetry/index.ts'

const STDOUT = 1

/** Writers of access logs, one for each sink, however many managers write to it. */
export class AccessLogs {
  readonly #clock: Clock
  readonly #writers = new Map<string, LogWriter>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @throws Error for a format or a sink that cannot be had */
  loggers(logs: readonly AccessLog[]): readonly AccessLogger[] {
    return logs.map(({ sink, format }, index) => new AccessLogger(compileLogFormat(format), this.#writerOf(sink), this.#clock, index))
  }

  close(): void {
    for (const writer of this.#writers.values()) writer.close()
  }

  #writerOf(sink: AccessLog['sink']): LogWriter {
    const key = JSON.stringify(sink)
    const known = this.#writers.get(key)
    if (known) return known
    const writer = new LogWriter({ sink: this.#open(sink) })
    this.#writers.set(key, writer)
    return writer
  }

  #open(sink: AccessLog['sink']): ConstructorParameters<typeof LogWriter>[0]['sink'] {
    switch (sink.type) {
      case 'stdout':
        return openFdSink(STDOUT)
      case 'file':
        return sink.path === '/dev/stdout' ? openFdSink(STDOUT) : openFileSink(sink.path)
      case 'tcp':
        return openTcpSink(sink.address, this.#clock)
      case 'otlp':
        throw new Error(`access logs cannot be sent to ${sink.endpoint} by OTLP yet: use a file or TCP`)
    }
  }
}
