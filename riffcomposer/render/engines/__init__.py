"""Engines render clips: in this process, in processes of this machine, or on a Ray cluster.

    interface     what all engines have in common
    in_process    the diffusion engine in this process
    pool          an engine of many workers; knows no transport
    processes     workers that are processes of this machine
    fake          an engine without a model, for tests and measurements

A render does not know which engine it uses. The driver, the process that runs `riffcompose render`, alone
writes the store; a worker returns arrays and numbers, which the driver checks.
"""
