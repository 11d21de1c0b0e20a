import type { ServerResponse } from '../contract.ts'

/** The level of the Kubernetes API that is served, and our own version after the plus sign. */
export const GIT_VERSION = 'v1.34.0+biplane.0.1.0'

/** Body of `/version`. `major` and `minor` are integers in text: clients parse them. Source: k8s.io/apimachinery version.Info. */
export function versionInfo(): Readonly<Record<string, string>> {
  return {
    major: '1',
    minor: '34',
    emulationMajor: '1',
    emulationMinor: '34',
    minCompatibilityMajor: '1',
    minCompatibilityMinor: '33',
    gitVersion: GIT_VERSION,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node${process.version.slice(1)}`,
    compiler: 'v8',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  }
}

export function answerVersion(): ServerResponse {
  return { status: 200, body: { type: 'object', value: versionInfo() } }
}
