import { FrameType } from './constants.ts'
import type { FrameOutput } from './frame-output.ts'

/** GOAWAY. Source: RFC 9113 6.8. @param debug one octet a character */
export function writeGoAway(output: FrameOutput, lastId: number, code: number, debug: string): void {
  output.header(8 + debug.length, FrameType.goAway, 0, 0)
  output.uint32(lastId)
  output.uint32(code)
  output.advance(output.length + output.bytes.write(debug, output.length, 'latin1'))
}

/** PING that `kind` tells again when the answer comes. Source: RFC 9113 6.7. */
export function writePing(output: FrameOutput, kind: number): void {
  output.header(8, FrameType.ping, 0, 0)
  output.uint32(0)
  output.uint32(kind)
}

/** RST_STREAM. Source: RFC 9113 6.4. */
export function writeReset(output: FrameOutput, id: number, code: number): void {
  output.header(4, FrameType.resetStream, 0, id)
  output.uint32(code)
}
