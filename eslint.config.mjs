import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const BROWSER = ['document', 'navigator', 'window', 'setTimeout'];
const NODE = ['process', 'require', 'module', '__dirname', 'console', 'performance', 'setTimeout'];

export default tseslint.config(
  { ignores: ['node_modules/', '.canvas/', 'test/fixtures/', 'lib/config/targets.validator.cjs'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: Object.fromEntries(NODE.map((name) => [name, 'readonly'])) },
  },
  {
    files: ['**/*.client.js'],
    languageOptions: { sourceType: 'script', globals: Object.fromEntries(BROWSER.map((name) => [name, 'readonly'])) },
  },
);
