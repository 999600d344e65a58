/**
 * Gives `node:util` back the two functions that tfjs-node 4.22.0 calls and Node 23 took away; to be loaded before it.
 */
const util = require('node:util');

util.isNullOrUndefined ??= (value) => value === null || value === undefined;
util.isArray ??= Array.isArray;
