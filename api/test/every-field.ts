import type { Json } from './crd-files';
import { propertyName } from '../generators/names';

/** The constructs' classes for values that are a number or a string. */
export interface ScalarClasses {
  readonly quantity: (text: string) => unknown;
  readonly intOrString: (value: number | string) => unknown;
}

/** Keys of maps that look like names of fields, in either spelling: they must come out as they went in. */
const MAP_KEYS = ['volumeID', 'volumeId', 'hostIpc', 'value', 'spec', 'example.com/hostIPC'];

/**
 * An object with every field of a schema set, twice: as the API server sees it, and as the props of the constructs.
 * Lists have two items, the second of which has nothing but its required fields.
 */
export function everyField(schema: Json, classes: ScalarClasses, minimal = false): { readonly wire: any; readonly props: any } {
  let count = 0;

  function both(node: Json, path: string, onlyRequired: boolean): { wire: any; props: any } {
    count++;
    if (node['x-kubernetes-int-or-string']) {
      const text = `${count}`;
      return node.pattern
        ? { wire: `${text}Mi`, props: classes.quantity(`${text}Mi`) }
        : count % 2 ? { wire: count, props: classes.intOrString(count) } : { wire: text, props: classes.intOrString(text) };
    }
    switch (node.type) {
      case 'object': return node.additionalProperties ? map(node, path, onlyRequired) : object(node, path, onlyRequired);
      case 'array': {
        const items = [both(node.items, `${path}[0]`, onlyRequired), both(node.items, `${path}[1]`, true)];
        return { wire: items.map(item => item.wire), props: items.map(item => item.props) };
      }
      default: return same(scalar(node, path));
    }
  }

  function map(node: Json, path: string, onlyRequired: boolean): { wire: any; props: any } {
    const entries = MAP_KEYS.map(key => [key, both(node.additionalProperties, `${path}.${key}`, onlyRequired)] as const);
    return {
      wire: Object.fromEntries(entries.map(([key, value]) => [key, value.wire])),
      props: Object.fromEntries(entries.map(([key, value]) => [key, value.props])),
    };
  }

  function object(node: Json, path: string, onlyRequired: boolean): { wire: any; props: any } {
    const entries = Object.entries<Json>(node.properties)
      .filter(([name]) => !onlyRequired || node.required?.includes(name))
      .map(([name, property]) => [name, both(property, `${path}.${name}`, onlyRequired)] as const);
    return {
      wire: Object.fromEntries(entries.map(([name, value]) => [name, value.wire])),
      props: Object.fromEntries(entries.map(([name, value]) => [propertyName(name), value.props])),
    };
  }

  function scalar(node: Json, path: string): unknown {
    switch (node.type) {
      case 'boolean': return count % 2 === 0;
      case 'integer': return Math.min(Math.max(count, node.minimum ?? count), node.maximum ?? Infinity);
      case 'string': return node.enum?.[count % node.enum.length] ?? (node.format === 'date-time' ? '2027-01-31T17:00:00Z' : `text at ${path}`);
      default: throw new Error(`no value for ${path}: ${JSON.stringify(node)}`);
    }
  }

  return both(schema, '', minimal);
}

const same = (value: unknown) => ({ wire: value, props: value });
