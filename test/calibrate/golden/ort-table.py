"""Writes ort-table.json, as onnxruntime.quantization 1.30 writes its calibration cache.

Run in this folder: python ort-table.py
"""
import numpy as np
from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData, save_tensors_data

table = {
    "image": (np.float32(-1.5), np.float32(0.1)),
    "array": (np.array(-2, dtype=np.float32), np.array([3.25], dtype=np.float32)),
}
save_tensors_data(TensorsData(CalibrationMethod.MinMax, table), "ort-table.json")
