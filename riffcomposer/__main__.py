"""`python -m riffcomposer` is `riffcompose`."""

from riffcomposer.cli.main import main

if __name__ == "__main__":
    main()
