/** Packs many small pieces into blocks, so that a list of ten thousand objects is a hundred writes and not thirty thousand. */
export class ChunkPacker {
  readonly #blockBytes: number
  readonly #blocks: Uint8Array[] = []
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  /** @param blockBytes a block is closed once it holds this much; pieces are never split */
  constructor(blockBytes: number = 256 * 1024) {
    this.#blockBytes = blockBytes
  }

  add(piece: Uint8Array): void {
    this.#pending.push(piece)
    this.#pendingBytes += piece.length
    if (this.#pendingBytes >= this.#blockBytes) this.#close()
  }

  addText(text: string): void {
    this.add(Buffer.from(text))
  }

  /** All that was added, in order. */
  finish(): readonly Uint8Array[] {
    if (this.#pendingBytes > 0) this.#close()
    return this.#blocks
  }

  #close(): void {
    this.#blocks.push(this.#pending.length === 1 ? (this.#pending[0] as Uint8Array) : Buffer.concat(this.#pending, this.#pendingBytes))
    this.#pending = []
    this.#pendingBytes = 0
  }
}
