package peers

import (
	"context"
	"path/filepath"
)

// nodeRecipe installs the npm packages of the committed lock file. Only the packages are installed: the scripts that
// use them run from the source tree, so a change to a script needs no new installation.
func nodeRecipe() (recipe, error) {
	here, err := sourceDir()
	if err != nil {
		return recipe{}, err
	}
	src := filepath.Join(here, "node")
	files := []string{"package.json", "package-lock.json"}
	hash, err := hashFiles(filepath.Join(src, files[0]), filepath.Join(src, files[1]))
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		key: hash,
		tools: func(context.Context) error {
			for _, name := range []string{"node", "npm"} {
				if err := needTool(PeerNodeOPCUA, name, "install Node.js 20 or newer from nodejs.org"); err != nil {
					return err
				}
			}
			return nil
		},
		build: func(ctx context.Context, dir, _ string, step func(string)) error {
			for _, f := range files {
				if err := copyFile(filepath.Join(dir, f), filepath.Join(src, f)); err != nil {
					return err
				}
			}
			// No package's own install script runs: all that the server needs is JavaScript.
			return tool{dir: dir, argv: []string{
				"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error",
			}}.run(ctx, step)
		},
	}, nil
}
