/** Version of this program; a test compares it with package.json. */
export const PROGRAM_VERSION = '0.1.0'
