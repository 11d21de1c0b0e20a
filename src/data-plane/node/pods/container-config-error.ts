/** A container cannot be resolved yet (missing ConfigMap, bad reference): tried again after a while. */
export class ContainerConfigError extends Error {
  override readonly name: string = 'ContainerConfigError'
  /** Waiting reason of the container: `CreateContainerConfigError`, `ContainerCreating`, ... */
  readonly reason: string

  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

/** A volume of the pod cannot be set up yet; reported as an event `FailedMount`. */
export class VolumeError extends ContainerConfigError {
  override readonly name = 'VolumeError'
  readonly volume: string

  constructor(volume: string, message: string) {
    super('ContainerCreating', message)
    this.volume = volume
  }
}
