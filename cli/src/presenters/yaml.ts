/** YAML, loaded when it is asked for: apart, as esbuild loses the names of a CommonJS package that is imported later. */
export { stringify } from 'yaml';
