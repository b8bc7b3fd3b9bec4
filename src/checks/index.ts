export { append } from './append';
export { definedOnly } from '../generated/defined-only.gen';
export { checkTreeAtSynth, setTreeCheck } from './findings';
export { lazily } from './lazily';
export { distance, nearest } from './nearest';
export { describe, Problems } from './problems';
export { Quantity } from './quantity';
export { render } from './renderings';
export {
  absolutePath, cpu, dns1035Label, dnsLabel, dnsSubdomain, envName, folder, integer, isFewBytes, labelValue, memory, oneOf, portName,
  portNumber, qualifiedName, quantity, requestPath, storage, time,
} from './rules';
export { wholeSeconds } from './seconds';
export { checkCalls, checkProps, hasPlaceholders, placed, withPlaceholders } from './shapes';
export { isPlain, printable, show } from './show';
