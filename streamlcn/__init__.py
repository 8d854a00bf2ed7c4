"""streamlcn: lacuna-canalicular networks measured while the sample turns."""
