import type { ServerHttp2Stream } from 'node:http2'
import { messageOf } from '../../../base/errors.ts'
import { grpcFrame, GrpcReader, GrpcStatus } from '../../../protocols/grpc-frames/index.ts'
import type { CallReport, CallReportAnswer } from '../../../protocols/mesh-link.ts'
import { endCall, refuseCall } from '../xds/discovery-call.ts'
import { readCallReport } from './call-ledger.ts'

const MAX_BYTES = 512 * 1024

/**
 * Answers one report of connections.
 * @param epoch of this control plane: reports for another one are not taken
 * @param authenticated gives the name of the proxy; rejects where it is none
 * @param take is told what was reported
 */
export function answerCallReport(
  stream: ServerHttp2Stream,
  epoch: string,
  authenticated: Promise<string>,
  take: (proxy: string, report: CallReport) => void,
): void {
  const reader = new GrpcReader(MAX_BYTES)
  let isTaken = false
  const refuse = (code: number, message: string): void => {
    isTaken = true
    if (!stream.destroyed) refuseCall(stream, code, message)
  }
  stream.on('error', () => {})
  authenticated.catch((error: unknown) => refuse(GrpcStatus.PERMISSION_DENIED, messageOf(error)))
  stream.on('data', (chunk: Buffer) => {
    if (isTaken) return
    let report: CallReport
    try {
      const [body] = reader.push(chunk)
      if (!body) return
      report = readCallReport(body.toString())
    } catch (error) {
      return refuse(GrpcStatus.INVALID_ARGUMENT, messageOf(error))
    }
    isTaken = true
    authenticated.then(
      (proxy) => {
        if (report.epoch === undefined || report.epoch === epoch) take(proxy, report)
        if (stream.destroyed) return
        const answer: CallReportAnswer = { epoch }
        stream.respond({ ':status': 200, 'content-type': 'application/grpc+json' }, { waitForTrailers: true })
        stream.write(grpcFrame(Buffer.from(JSON.stringify(answer))))
        endCall(stream, GrpcStatus.OK, '')
      },
      () => {},
    )
  })
  stream.on('end', () => {
    if (!isTaken) refuse(GrpcStatus.INVALID_ARGUMENT, 'the request has no message')
  })
}
