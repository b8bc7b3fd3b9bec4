import { extractPrograms, shownTranslations, withTranslations } from '../scripts/translations/documents';
import { completeGo } from '../scripts/translations/go';
import { completeJava } from '../scripts/translations/java';
import { completePython } from '../scripts/translations/python';
import type { LibraryType } from '../scripts/translations/types';

const GO = { module: 'example.com/box', alias: 'box' };
const type = (name: string, struct: boolean, parameters: { readonly [name: string]: number } = {}): [string, LibraryType] =>
  [name, { name, kind: struct ? 'interface' : 'class', struct, parameters: new Map(Object.entries(parameters)), java: `org.example.${name}`, go: GO }];
const TYPES = new Map([type('App', false, { new: 1 }), type('Box', false, { new: 3, open: 2, of: 1 }), type('BoxProps', true), type('Part', true), type('Port', false, { tcp: 1 })]);

test('a program in Go gets packages, pointers, absent arguments and imports', () => {
  expect(completeGo(`import "example.com/box"

app := box.NewApp()
port := box.Port_Tcp(jsii.Number(80))
box.NewBox(app, jsii.String("a, (b"), &BoxProps{
	Parts: []Part{
		&Part{
			Names: []*string{
				jsii.String("x"),
			},
			Labels: map[string]*string{
				"a": jsii.String("b"),
			},
			Open: jsii.Boolean(true),
			Env: map[string]value{
				"A": box.Box_of("a", nil),
			},
		},
	},
	Ports: []Port{
		port,
	},
	Port: Port,
}).Open(box.Box_Of())`, TYPES)).toBe(`package main

import (
	"github.com/aws/jsii-runtime-go"
	"example.com/box"
)

func main() {
app := box.NewApp(nil)
port := box.Port_Tcp(jsii.Number(80))
box.NewBox(app, jsii.String("a, (b"), &box.BoxProps{
	Parts: &[]*box.Part{
		&box.Part{
			Names: &[]*string{
				jsii.String("x"),
			},
			Labels: &map[string]*string{
				"a": jsii.String("b"),
			},
			Open: jsii.Bool(true),
			Env: &map[string]interface{}{
				"A": box.Box_Of("a", nil),
			},
		},
	},
	Ports: &[]box.Port{
		port,
	},
	Port: port,
}).Open(box.Box_Of(nil), nil)
}`);
});

test('a program in Java gets its class and imports', () => {
  expect(completeJava('import org.example.App;\n\nApp app = new App(); // Box\nBox.Builder.create(app, "Port").parts(List.of()).build();', TYPES)).toBe(`import java.util.List;
import org.example.App;
import org.example.Box;

public class Main {
    public static void main(String[] args) {
        App app = new App(); // Box
        Box.Builder.create(app, "Port").parts(List.of()).build();
    }
}`);
});

test('a program in Python gets one import for each package', () => {
  expect(completePython('from box import Part\nfrom app import App, Chart\nfrom box import Box\nimport other as o\n\nApp()\n')).toBe(
    'import other as o\nfrom app import App, Chart\nfrom box import Box, Part\n\nApp()');
});

test('a document keeps its programs, and shows the translations after each of them', () => {
  const document = 'Text.\n\n<!-- languages: begin -->\n```ts nofixture\nnew App();\n```\nold\n<!-- languages: end -->\n\nMore.\n';
  expect(extractPrograms(document)).toEqual(['new App();']);
  const translated = withTranslations(document, [{ python: 'App()', java: 'new App();', go: 'NewApp()' }]);
  expect(translated).not.toContain('old');
  expect(shownTranslations(translated)).toEqual([{ typescript: 'new App();', python: 'App()', java: 'new App();', go: 'NewApp()' }]);
  expect(withTranslations(translated, shownTranslations(translated))).toBe(translated);
});
