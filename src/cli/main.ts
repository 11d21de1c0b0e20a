#!/usr/bin/env node
process.stderr.write('biplane: no commands yet\n')
