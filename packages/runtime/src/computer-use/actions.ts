import { SCREEN, type Browser } from './browser.js';

/** Arguments of an action as the model gives them. */
export type Arguments = { readonly [name: string]: unknown };

/** An action of the model cannot be done; the error goes back to the model, which may try another action. */
class ActionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ActionError';
  }
}

type Action = (browser: Browser, args: Arguments, options: ActionOptions) => Promise<unknown>;

export interface ActionOptions {
  /** Where `search` leads. */
  readonly searchUrl: string;
}

/** Steps of the model's coordinates, which do not depend on the size of the screen. */
const GRID = 1000;
const DEFAULT_SCROLL = 800;
const MAX_WAIT_SECONDS = 30;

/** The vocabulary of the browser environment: Gemini 2.5, then what later models add to it. */
const ACTIONS: { readonly [name: string]: Action } = {
  open_web_browser: async () => undefined,
  wait_5_seconds: browser => browser.page.waitForTimeout(5000),
  go_back: browser => browser.page.goBack(),
  go_forward: browser => browser.page.goForward(),
  search: (browser, _, { searchUrl }) => browser.page.goto(searchUrl),
  navigate: (browser, args) => browser.page.goto(webUrl(text(args, 'url'))),
  click_at: (browser, args) => browser.page.mouse.click(...point(args)),
  hover_at: (browser, args) => browser.page.mouse.move(...point(args)),
  type_text_at: async (browser, args) => {
    await browser.page.mouse.click(...point(args));
    if (args.clear_before_typing !== false) {
      await browser.page.keyboard.press('Control+A');
      await browser.page.keyboard.press('Delete');
    }
    await typeText(browser, args, true);
  },
  key_combination: (browser, args) => browser.page.keyboard.press(keys(text(args, 'keys'))),
  scroll_document: (browser, args) => scroll(browser, args, [SCREEN.width / 2, SCREEN.height / 2], DEFAULT_SCROLL),
  scroll_at: (browser, args) => scroll(browser, args, point(args), number(args, 'magnitude', DEFAULT_SCROLL)),
  drag_and_drop: (browser, args) => 'start_x' in args
    ? drag(browser, point(args, 'start_x', 'start_y'), point(args, 'end_x', 'end_y'))
    : drag(browser, point(args), point(args, 'destination_x', 'destination_y')),

  click: (browser, args) => browser.page.mouse.click(...point(args)),
  double_click: (browser, args) => browser.page.mouse.dblclick(...point(args)),
  triple_click: (browser, args) => browser.page.mouse.click(...point(args), { clickCount: 3 }),
  right_click: (browser, args) => browser.page.mouse.click(...point(args), { button: 'right' }),
  middle_click: (browser, args) => browser.page.mouse.click(...point(args), { button: 'middle' }),
  move: (browser, args) => browser.page.mouse.move(...point(args)),
  mouse_down: async (browser, args) => {
    await browser.page.mouse.move(...point(args));
    await browser.page.mouse.down();
  },
  mouse_up: async (browser, args) => {
    await browser.page.mouse.move(...point(args));
    await browser.page.mouse.up();
  },
  type: (browser, args) => typeText(browser, args, false),
  press_key: (browser, args) => browser.page.keyboard.press(keys(text(args, 'key'))),
  key_down: (browser, args) => browser.page.keyboard.down(keys(text(args, 'key'))),
  key_up: (browser, args) => browser.page.keyboard.up(keys(text(args, 'key'))),
  hotkey: (browser, args) => browser.page.keyboard.press(keys(Array.isArray(args.keys) ? args.keys.join('+') : text(args, 'keys'))),
  scroll: (browser, args) => scroll(browser, args, point(args), number(args, 'magnitude', DEFAULT_SCROLL)),
  wait: (browser, args) => browser.page.waitForTimeout(1000 * Math.min(MAX_WAIT_SECONDS, Math.max(0, number(args, 'seconds', 1)))),
  take_screenshot: async () => undefined,
};

export const ACTION_NAMES: readonly string[] = Object.keys(ACTIONS);

/** Does what the model asks for. Throws `ActionError`, and what Playwright throws. */
export async function perform(browser: Browser, name: string, args: Arguments, options: ActionOptions): Promise<void> {
  const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name]! : undefined;
  if (action === undefined) {
    throw new ActionError(`there is no action '${name}'`);
  }
  await action(browser, args, options);
}

/** Only the web: `file:` and the like would show the file system. */
function webUrl(url: string): string {
  const given = /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(url) ? url : `https://${url}`;
  if (!/^https?:\/\//i.test(given) || !URL.canParse(given)) {
    throw new ActionError(`'${url}' is not an address on the web`);
  }
  return given;
}

function point(args: Arguments, x = 'x', y = 'y'): [number, number] {
  return [scaled(number(args, x), SCREEN.width), scaled(number(args, y), SCREEN.height)];
}

function scaled(value: number, size: number): number {
  if (value < 0 || value >= GRID) {
    throw new ActionError(`coordinates are from 0 to ${GRID - 1}, not ${value}`);
  }
  return Math.round(value / GRID * size);
}

function number(args: Arguments, name: string, unless?: number): number {
  const value = args[name] ?? unless;
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new ActionError(`${name} has to be a number`);
  }
  return value;
}

function text(args: Arguments, name: string): string {
  const value = args[name];
  if (typeof value !== 'string' || value === '') {
    throw new ActionError(`${name} has to be a text`);
  }
  return value;
}

async function typeText(browser: Browser, args: Arguments, enter: boolean): Promise<void> {
  // Not key by key: a long text would take longer than an action may.
  await browser.page.keyboard.insertText(typeof args.text === 'string' ? args.text : '');
  if (args.press_enter ?? enter) {
    await browser.page.keyboard.press('Enter');
  }
}

async function scroll(browser: Browser, args: Arguments, [x, y]: [number, number], magnitude: number): Promise<void> {
  const direction = text(args, 'direction');
  const horizontal = direction === 'left' || direction === 'right';
  if (!horizontal && direction !== 'up' && direction !== 'down') {
    throw new ActionError(`direction is up, down, left or right, not '${direction}'`);
  }
  const distance = magnitude / GRID * (horizontal ? SCREEN.width : SCREEN.height) * (direction === 'left' || direction === 'up' ? -1 : 1);
  await browser.page.mouse.move(x, y);
  await browser.page.mouse.wheel(horizontal ? distance : 0, horizontal ? 0 : distance);
}

async function drag(browser: Browser, from: [number, number], to: [number, number]): Promise<void> {
  const { mouse } = browser.page;
  await mouse.move(...from);
  await mouse.down();
  // Two moves: pages notice a drag by the movement.
  await mouse.move((from[0] + to[0]) / 2, (from[1] + to[1]) / 2);
  await mouse.move(...to);
  await mouse.up();
}

const KEY_NAMES: { readonly [name: string]: string } = {
  ctrl: 'Control', control: 'Control', alt: 'Alt', option: 'Alt', shift: 'Shift', cmd: 'Meta', command: 'Meta', meta: 'Meta', super: 'Meta', win: 'Meta',
  enter: 'Enter', return: 'Enter', esc: 'Escape', escape: 'Escape', tab: 'Tab', space: 'Space', backspace: 'Backspace', delete: 'Delete', del: 'Delete',
  insert: 'Insert', home: 'Home', end: 'End', pageup: 'PageUp', page_up: 'PageUp', pagedown: 'PageDown', page_down: 'PageDown',
  up: 'ArrowUp', arrowup: 'ArrowUp', down: 'ArrowDown', arrowdown: 'ArrowDown', left: 'ArrowLeft', arrowleft: 'ArrowLeft', right: 'ArrowRight', arrowright: 'ArrowRight',
};

/** `ctrl+a` as Playwright writes it: `Control+a`. */
export function keys(combination: string): string {
  return combination.split(/\+(?!$)/).map(key => KEY_NAMES[key.trim().toLowerCase()] ?? (/^f\d{1,2}$/i.test(key) ? key.toUpperCase() : key)).join('+');
}
