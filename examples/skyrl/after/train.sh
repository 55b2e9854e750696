#!/usr/bin/env bash
uv run --isolated -m skyrl.train.entrypoints.main_base \
    generator.inference_engine.backend=vllm \
    generator.inference_engine.num_engines=4 \
    generator.inference_engine.engine_init_kwargs.logprobs_mode=processed_logprobs \
    generator.inference_engine.engine_init_kwargs.async_scheduling=False \
    generator.sampling_params.temperature=0.8 \
    trainer.algorithm.off_policy_correction.tis_ratio_type=token
