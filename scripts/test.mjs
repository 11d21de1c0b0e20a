// Runs every test (or those given as arguments), lists what was skipped and what failed with the first line of why, and ends with one line:
// N passed, N failed, N skipped.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'biplane-test-'))
const report = join(dir, 'report.json')

const run = (command, args) =>
  new Promise((resolve) =>
    spawn(command, args, { cwd: root, stdio: 'inherit' }).on('exit', (code, signal) => resolve(code ?? (signal ? 1 : 0))),
  )

// system tests start the bundled command, so it must be that of this tree
const built = await run(process.execPath, ['scripts/build.mjs'])
const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)]
const code = built === 0 ? await run(join(root, 'node_modules/.bin/vitest'), args) : built

let passed = 0
let failed = 0
const skipped = []
const failures = []
const firstLine = (text) => stripVTControlCharacters(text ?? '').split('\n', 1)[0]
try {
  for (const file of JSON.parse(readFileSync(report, 'utf8')).testResults) {
    // a file that does not load, or whose set-up fails, has no failed assertion but must count
    const name = file.name.slice(root.length)
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed')) {
      failed++
      failures.push(`${name}: ${firstLine(file.message)}`)
    }
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed++
      else if (test.status === 'failed') {
        failed++
        failures.push(`${name}: ${test.fullName}: ${firstLine(test.failureMessages[0])}`)
      } else skipped.push(`${name}: ${test.fullName}`)
    }
  }
} catch (error) {
  console.error(`no test report: ${error.message}`)
  failed++
}
rmSync(dir, { recursive: true, force: true })
if (code !== 0 && failed === 0) {
  failed = 1
  failures.push('outside of the tests, see above')
}
for (const name of skipped) console.log(`skipped ${name}`)
// last, where a log that is cut still has them
for (const failure of failures) console.log(`FAILED ${failure}`)
console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
process.exit(failed > 0 ? 1 : 0)
